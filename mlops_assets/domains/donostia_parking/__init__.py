"""Donostia parking: how many spaces are free in the city's car parks in the next hours?"""
