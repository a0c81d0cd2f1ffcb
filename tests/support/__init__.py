"""What tests of several packages share: processes, the emulator, the demo data, a browser. No test stands here."""
