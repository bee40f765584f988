"""Audit export: why a parcel was let go or held, with the proof; see verify_audit.py."""
