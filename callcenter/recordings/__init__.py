"""From a file that grew on disk to a recording at rest, played and downloaded by permission.

A recording is a stereo µ-law WAV: channel 1 the agent, channel 2 the customer. While the call lasts the media process
writes it under `live/`; `store.py` moves it to `store/` once it is closed. `audio.py` reads either place, `peaks.py`
draws the waveform. Retention and encryption are not done here.
"""
