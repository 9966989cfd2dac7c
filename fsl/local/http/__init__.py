"""The HTTP server of the local server: waitress, with its own way for plain requests, in front of the app.

connections   the server: its threads, and how many connections it keeps
channel       one connection
framing       requests and responses as bytes
gateway       one request: what API Gateway does, then the app
routing       finds the call of a path
waits         requests that wait for changes
time_limit    gives up requests that take too long
"""
