"""Commands for what people do: tasks and their answers, approvals, events and signals."""
