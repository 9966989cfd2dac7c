"""Lambda's bill: what our handlers cost in CPU and memory, beside the botocore calls that they make.

environment  the variables of a function, and its invocation
records   what a request or a response holds, as a file
recorder  a program: runs every handler once on emulated AWS, and records its event and its requests to AWS
service   a program: the action service, on loopback
replay    answers the requests of a process from the records, in place of botocore's HTTP layer
floor     the same requests by bare botocore, and by bare urllib3 to the action service
sending   a program: the CPU of sending a request over TLS, which replays leave out
breakdown a program: where the CPU of a warm function goes, and how many functions it calls
warm      a program: CPU per invocation of a warm function, beside its floor
cold      a program: one cold start, of our functions or of what they depend on
"""
