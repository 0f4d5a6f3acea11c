"""The analyst's page, a Streamlit app on the prediction API: it reads and predicts over HTTP and keeps nothing of its own."""
