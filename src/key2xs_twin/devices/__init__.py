"""Keys and locks as things: what is in their memory, and what they do when they meet.

Nothing here knows the vendor's server. A decision rests on device state alone, except at a lock that is
built to ask the server at every opening.
"""
