"""Chicago crime: will a reported crime lead to an arrest?"""
