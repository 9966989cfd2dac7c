"""All that Echoer keeps, in one DynamoDB table."""
