"""What a million costs, counted from the requests that the Lambda handlers make on emulated AWS.

meter    counts requests to DynamoDB as it bills them, by the sizes of real items
account  the handlers on moto's DynamoDB, with a queue on a virtual clock whose requests are counted
paths    what is priced: steps of each kind, starts and ends, an idle month
others   AWS Step Functions and Lambda durable functions for the same
"""
