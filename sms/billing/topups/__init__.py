"""Paying in online, behind one small contract."""
