"""Hum, hiss, distortion and clicks, heard without a reference."""
