"""Machines of AWS Step Functions in files: JSON, YAML, and templates of SAM, CloudFormation and the CDK.

yaml_text   YAML 1.2 with CloudFormation's short tags -> plain JSON
files       a file -> what it holds
functions   Fn::Sub, Fn::Join, Ref and the like -> text, with `${NAME}` for what only AWS knows
templates   a template -> its machines
wiring      what starts a machine, and what listens to it: notes
"""
