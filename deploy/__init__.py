"""From this repository to AWS: what is deployed, made from the one description of each thing, and the commands for it.

`python -m deploy.package` writes the CloudFormation and the Terraform form of a stage, `python -m deploy.release`
brings the first to AWS. Nothing here is shipped, and nothing that is shipped knows it.
"""
