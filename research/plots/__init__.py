"""Figures drawn from statistics."""
