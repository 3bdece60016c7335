module cudafault.dev/tests/go

go 1.18

require github.com/NVIDIA/go-nvml v0.13.4-1
