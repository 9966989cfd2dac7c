"""Deployment to AWS.

`python -m deploy.package` writes the CloudFormation and the Terraform form of a stage, `python -m deploy.release`
deploys the CloudFormation form. This package is not deployed itself, and the deployed code does not import it.
"""
