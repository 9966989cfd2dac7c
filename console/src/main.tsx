// The page: the frame, and the screen of the address.
import { render } from "preact";
import type { JSX } from "preact";
import { lazy, Suspense } from "preact/compat";
import { Frame } from "./screens/frame";
import { Now } from "./screens/now";
import { Runs } from "./screens/runs/screen";
import "./style.css";
import "./runs.css";
import "./frame.css";
import "./play.css";
import "./edit.css";
import { Boundary } from "./ui/boundary";
import { Empty, Skeleton } from "./ui/parts";
import { may } from "./ui/me";
import { href, usePlace } from "./ui/router";
import { words } from "./words/en";

const RunScreen = lazy(async () => ({ default: (await import("./screens/run/screen")).RunScreen }));
const Inbox = lazy(async () => ({ default: (await import("./screens/inbox")).Inbox }));
const Flows = lazy(async () => ({ default: (await import("./screens/flows")).Flows }));
const FlowScreen = lazy(async () => ({ default: (await import("./screens/flow")).FlowScreen }));
const ActionScreen = lazy(async () => ({ default: (await import("./screens/action")).ActionScreen }));
const Start = lazy(async () => ({ default: (await import("./screens/start")).Start }));
const Edit = lazy(async () => ({ default: (await import("./screens/edit/screen")).Edit }));
const PlayScreen = lazy(async () => ({ default: (await import("./screens/play")).PlayScreen }));
const Health = lazy(async () => ({ default: (await import("./screens/health")).Health }));
const Terminal = lazy(async () => ({ default: (await import("./screens/terminal")).Terminal }));
const Admin = lazy(async () => ({ default: (await import("./screens/admin")).Admin }));
const Settings = lazy(async () => ({ default: (await import("./screens/settings")).Settings }));
const Batches = lazy(async () => ({ default: (await import("./screens/batch/screen")).Batches }));
const BatchScreen = lazy(async () => ({ default: (await import("./screens/batch/screen")).BatchScreen }));
const Compare = lazy(async () => ({ default: (await import("./screens/compare/screen")).Compare }));

function Screen(): JSX.Element {
  const { path } = usePlace();
  const [first = "", name] = path;
  switch (first) {
    case "":
      return may("GET /flowrun") ? <Now /> : <Inbox />;
    case "runs":
      return name ? <RunScreen key={name} name={name} /> : <Runs />;
    case "batch":
      return name ? <BatchScreen key={name} id={name} /> : <Batches />;
    case "compare":
      return <Compare key={path.join("/")} names={path.slice(1)} />;
    case "inbox":
      return <Inbox />;
    case "flows":
      return name ? <FlowScreen key={name} name={name} /> : <Flows />;
    case "actions":
      return name ? <ActionScreen key={name} name={name} /> : <Flows />;
    case "start":
      return name ? <Start key={name} flow={name} /> : <Flows />;
    case "edit":
      return <Edit />;
    case "play":
      return name ? <PlayScreen key={name} flow={name} /> : <Flows />;
    case "health":
      return <Health />;
    case "admin":
      return <Admin />;
    case "terminal":
      return <Terminal />;
    case "settings":
      return <Settings />;
    default:
      return (
        <Empty title={words.noPage}>
          <a class="button" href={href([])}>
            {words.now}
          </a>
        </Empty>
      );
  }
}

function App(): JSX.Element {
  return (
    <Frame>
      <Boundary key={usePlace().path.join("/")}>
        <Suspense fallback={<Skeleton />}>
          <Screen />
        </Suspense>
      </Boundary>
    </Frame>
  );
}

const root = document.getElementById("app");
if (root) render(<App />, root);
