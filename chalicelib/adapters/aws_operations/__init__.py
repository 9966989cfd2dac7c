"""Actions with `method = aws`: operations of AWS, by botocore's models of the services.

models     which services and operations there are, and what an operation takes
arguments  args as an operation takes them
results    what an operation returned, as JSON
jobs       operations that start a job (`.sync`): which operation describes it, and what states end it
clients    clients of services, under Echoer's role or another one
caller     the port `Caller`: a call, and what became of it

Nothing here is imported before the first document or delivery with such an action: botocore's models are large.
"""
