"""Talking with the gateway's sessions: messages out, runs and transcripts in."""
