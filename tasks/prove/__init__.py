"""Seeded defects: how every gate proves that it catches what it is there for, and lets clean objects pass.

Gates run here as they are in a release; nothing here knows how they work.
"""
