"""The program that checks an evidence bundle, as it stands in every bundle.

It imports nothing of the hub, and nothing here may: whoever checks a bundle has no hub.
"""
