// The built files are text with hashed names. They are committed to chalicelib/console, which the API serves.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../chalicelib/console",
    emptyOutDir: true,
    target: "es2022",
    assetsDir: "console",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      output: {
        entryFileNames: "console/[name]-[hash].js",
        chunkFileNames: "console/[name]-[hash].js",
        assetFileNames: "console/[name]-[hash][extname]",
      },
    },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
});
