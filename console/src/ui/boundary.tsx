// What is shown if a screen cannot be: a file of it is gone because the console was updated, or it has a defect.
import { Component } from "preact";
import type { ComponentChildren, JSX } from "preact";
import { words } from "../words/en";

interface State {
  error: Error | null;
}

export class Boundary extends Component<{ children: ComponentChildren }, State> {
  override state: State = { error: null };

  static override getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override render(): JSX.Element {
    const { error } = this.state;
    if (!error) return <>{this.props.children}</>;
    return (
      <div class="problem" role="alert">
        <p>
          <strong>{/dynamically imported|Importing a module/.test(error.message) ? words.updated : words.defect}</strong>
        </p>
        <p class="faint">{error.message}</p>
        <button type="button" onClick={() => location.reload()}>
          {words.reload}
        </button>
      </div>
    );
  }
}
