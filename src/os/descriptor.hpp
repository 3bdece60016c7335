// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cudafault {

// Owns a file descriptor and closes it. The number -1 means that it owns none.
class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor() { close(); }

    int get() const { return number_; }
    int release();  // returns the number and gives up ownership
    void close();
    explicit operator bool() const { return number_ >= 0; }

private:
    int number_;
};

}  // namespace cudafault
