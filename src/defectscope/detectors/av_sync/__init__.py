"""Lip sync: does the sound fit the lips?"""
