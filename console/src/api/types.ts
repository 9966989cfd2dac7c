// The shapes of the answers that the page reads. They are those of `/openapi.json`.
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Metadata {
  name: string;
  kind: string;
  namespace: string;
  version: number;
  uuid: string;
  labels: Record<string, Json>;
}

export type RunStatus =
  | "pending"
  | "running"
  | "paused"
  | "compensating"
  | "completing"
  | "succeeded"
  | "failed"
  | "canceling"
  | "canceled";

export interface RunError {
  name: string;
  cause: string;
  step: string;
}

export interface RunSummary {
  metadata: Metadata;
  spec: {
    flow: string;
    flow_version: number;
    status: RunStatus;
    current_state: string;
    last_state: string;
    last_event: string;
    last_err: string;
    error: RunError | null;
    seq: number;
    writes: number;
    tokens: number;
    next_deadline: string | null;
    created_at: string;
    updated_at: string;
    ended_at: string | null;
    parent: { run: string; step: string } | null;
    sizes: { input: number; global_variable: number; output: number };
  };
}

export interface TokenView {
  id: string;
  step: string;
  uuid?: string;
  waits_for?: { kind: string; [name: string]: Json } | null;
  [name: string]: unknown;
}

export interface Run {
  metadata: Metadata;
  spec: {
    flow: string;
    flow_version: number;
    status: RunStatus;
    current_state: string;
    last_err: string;
    error: RunError | null;
    input: Json;
    output: Json;
    global_variable: Record<string, Json>;
    tokens: TokenView[];
    steps: { metadata: Metadata; spec: Record<string, Json> }[];
    created_at: string;
    ended_at: string | null;
    undone?: string[];
    [name: string]: unknown;
  };
  cut?: boolean;
}

export interface Entry {
  seq: number;
  at: string;
  event: string;
  step: string;
  token: string;
  from: string;
  to: string;
  state: string;
  data: Json;
  by: string;
  uuid: string;
  error: string;
  error_name: string;
  vars: Record<string, Json>;
}

export interface GraphNode {
  id: string;
  kind: string;
  scope: string;
  name: string;
  detail: string;
  visits: number;
  current: boolean;
  failed: boolean;
  /** How many tokens of live runs are here, if that was asked for. */
  there?: number;
}

export interface GraphEdge {
  source: string;
  target: string;
  scope: string;
  labels: string[];
  visits: number;
  /** How often the route of each label was taken, if that was asked for. */
  taken?: number[];
}

export interface Layout {
  width: number;
  height: number;
  boxes: { id: string; scope: string; x: number; y: number; w: number; h: number }[];
  ways: { source: string; target: string; points: [number, number][]; label: [number, number]; loop?: boolean }[];
}

export interface Graph {
  name: string;
  scopes: { id: string; name: string; step: string }[];
  nodes: GraphNode[];
  edges: GraphEdge[];
  layout?: Layout;
  partial?: { from: number };
  counted?: { runs: number; more: boolean; partial: number };
  live?: { runs: number; more: boolean };
}

/** The settings that apply to a step, as `/analyze` explains them. */
export interface Explained {
  step: string;
  kind: string;
  action: string | null;
  timeout: Setting | null;
  heartbeat: Setting | null;
  retry: Setting | null;
  on_timeout: string | null;
  on_error: string | null;
  [name: string]: unknown;
}

export interface Setting {
  value: string;
  by: string;
}

export interface Task {
  flowId: string;
  stepName: string;
  uuid: string;
  action: string;
  kind: "task" | "approval";
  ackStates: string[];
  args: Record<string, Json>;
  since: string;
  deadline: string;
  flow?: string;
  labels?: Record<string, Json>;
  routes?: Record<string, string>;
}

export interface Parameter {
  name: string;
  type: string;
  required: boolean;
  default?: Json;
  secret?: boolean;
}

export interface Definition {
  metadata: Metadata;
  spec: { fsl?: string; text?: string; input?: Parameter[]; [name: string]: unknown };
}

export interface Me {
  by: string;
  role: string;
  namespace: string;
  bound: boolean;
  auth: "open" | "token" | "iam";
  calls: string[];
  version: string;
}
