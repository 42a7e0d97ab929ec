"""Elute: from CSV files of experiment records to tested marts."""
