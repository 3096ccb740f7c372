"""The only place where picture bytes are decoded, compared and made small."""
