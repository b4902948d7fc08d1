"""The pages: each reads its view, fills its template, and turns forms into one call of a room."""
