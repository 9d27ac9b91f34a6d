"""How calls reach the outside: SIP towards trunks, RTP in the media process, WebRTC towards browsers.

Read `ports.py` first: the three protocols that the engine speaks to, in the words of this product and of no library.
`sip/` is Sippy behind `SipPort`, `media/` the media process and its client behind `MediaPort`, `edge/` the browser's
side behind `EdgePort`. Nothing here decides what happens to a call: that is `calls` and the controllers.
"""
