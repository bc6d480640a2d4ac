"""The process around the application: uvicorn, its connections and their deadlines, the webhook worker."""
