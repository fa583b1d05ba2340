# SPDX-License-Identifier: GPL-3.0-or-later
"""REST v4: what a business back end asks of the service (reference: callkit-server 5).

`POST /v4/{service}/{command}?sdkappid=&identifier=&usersig=&random=&contenttype=json` with a JSON object;
always HTTP 200, the true outcome is in the envelope. One file per service.
"""
