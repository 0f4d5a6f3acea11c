"""Forest cover: which of seven forest types grows on a cell of terrain?"""
