// Starts `fsl lsp` and lets VS Code's own client talk to it.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const [command, ...args] = workspace.getConfiguration("fsl").get("command");
  client = new LanguageClient("fsl", "FSL", { command, args }, { documentSelector: [{ language: "fsl" }] });
  return client.start();
};

exports.deactivate = () => client && client.stop();
