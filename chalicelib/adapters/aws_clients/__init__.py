"""Clients of DynamoDB and SQS: botocore's, made and used with less CPU.

clients        makes them; botocore's models are read and parsed faster
first_attempt  the first attempt of each request: signed, sent and read with less work than botocore's own
signature      Signature Version 4 with the signing key of the day kept

They are botocore's clients with their usual methods, events and errors. What is saved was measured by `bench/bill`. On
Lambda, botocore is that of the runtime, in a version that this code does not choose: everything here builds on the
documented parts of it (components of sessions, events), and does nothing where a part is missing.
"""
