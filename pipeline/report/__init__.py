"""What write_report.py and write_sweep_report.py share: figures, charts, answers, and the page they stand on."""
