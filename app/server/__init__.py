"""The server process: uvicorn, the limits and deadlines of its connections, and the worker process."""
