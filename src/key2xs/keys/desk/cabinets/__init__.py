"""Key cabinets of any make: what they tell, how it is taken in, and what they may load."""
