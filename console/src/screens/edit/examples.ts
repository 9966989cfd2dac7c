// Texts to begin with.
export const EXAMPLES: Record<string, string> = {
  approval: `# A request that a person approves, and an action that carries it out.
action review
    method  = human;
    args    = (str request);
    return  = (AGREE | REJECT);
    timeout = 7d;
action_end
/
action carry_out
    addr   = "http://127.0.0.1:9000/carry-out";
    args   = (str request);
    return = (DONE | FAILED);
action_end
/
flow approval
    input = (str request);
    deci Review => (AGREE -> CarryOut | REJECT -> stopped | TIMEOUT -> stopped) {
        action = review;
        args   = (request = \${ $input.request });
    };
    step CarryOut => (DONE -> done | FAILED -> stopped) {
        action = carry_out;
        args   = (request = \${ $input.request });
    };
flow_end
`,
};
