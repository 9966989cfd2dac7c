"""`make cloud`: the packaged output, whole, on an emulator of AWS, as a user deploys it.

It deploys with `make deploy`, runs the acceptance tests against the API, updates the stack while runs go on, and
removes it with `make remove`. docs/proven-where.md lists what this shows and what it cannot show.
"""
