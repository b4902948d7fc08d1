"""Incidents: stops that wait for the shift leader, people who may be inside, people who did not report, outages."""
