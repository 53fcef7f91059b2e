"""Randomisers: functions that change a draft of worlds through named, counted, recorded draws."""
