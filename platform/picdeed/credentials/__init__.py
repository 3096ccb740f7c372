"""Who signed a picture, is it unchanged, and what does it say of itself? C2PA lives only here."""
