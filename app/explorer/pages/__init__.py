"""What each page reads from the API, and the values that its template gets."""
