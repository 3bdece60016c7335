module cudafault.dev/tests/linking

go 1.18
