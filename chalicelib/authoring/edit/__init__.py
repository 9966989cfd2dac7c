"""Changes of one flow as edits of its text: what a diagram does to the text.

An operation changes parts of the flow, and the result is a list of spans of the text with what replaces them.
Everything outside these spans, comments and spacing too, keeps its place. Offsets and lengths count characters (code
points), like the spans of an analysis.

    operations   what is asked: add, rename, route, unroute, set, delete
    drafts       the flow as it is being changed: steps, routes and properties with their places in the text
    apply        operations on drafts, with precise errors
    routes       where routes lead, and what a new step returns
    values       JSON and text -> values of FSL
    layout       where a text has lines, comments and room
    patch        replaced, removed and inserted spans -> edits
    emit         `edit`, which does all of it: drafts -> a patch
    emit_routes  the part of it that is about routes
    write        new steps as FSL
    outline      a step as a form needs it
"""
