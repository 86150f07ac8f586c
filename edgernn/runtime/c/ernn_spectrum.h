/* ernn_spectrum.h: the power spectrum of a frame. */
#ifndef ERNN_SPECTRUM_H
#define ERNN_SPECTRUM_H

#include <stdint.h>

/* `points` = fft / 2 complex numbers, first their real parts, then the imaginary ones: the even and the odd
 * samples of a frame.  Gives the squares of the spectrum, [points + 1], in the one of the two buffers that
 * it returns.  turns, untangle: as in ernn_sound. */
float *ernn_power_spectrum(float *samples, float *spare, uint32_t points, const float *turns,
                           const float *untangle);

#endif
