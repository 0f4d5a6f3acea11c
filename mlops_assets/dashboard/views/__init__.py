"""The pages: scripts that Streamlit runs from top to bottom, one each. Nothing imports them."""
