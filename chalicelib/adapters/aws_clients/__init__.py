"""Clients of DynamoDB and SQS that take less CPU than botocore's.

clients        makes them from one session of botocore, whose models are read and parsed faster
client         makes most requests without botocore's client, which is made when it is needed
first_attempt  the first attempt of a request: signed, sent and read without botocore's client
addresses      where requests go that need no rules for it
signature      Signature Version 4 with the signing key of the day kept

They have the methods, events and errors of botocore's clients. What is saved was measured by `bench/bill`. On Lambda,
botocore is that of the runtime, in a version that this code does not choose: sessions, credentials, events and the HTTP
layer are botocore's, and where a setting changes how requests are sent, botocore's client makes all of them.
"""
