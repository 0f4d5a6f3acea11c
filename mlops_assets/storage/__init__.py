"""Where assets live: the lake (objects by URI), its formats, and the IO managers, one per format and never per store."""
