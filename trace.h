/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM caif_virtio

#if !defined(CAIF_VIRTIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CAIF_VIRTIO_TRACE_H

#include <linux/netdevice.h>
#include <linux/tracepoint.h>
#include <linux/virtio.h>

DECLARE_EVENT_CLASS(caif_virtio_frame,
		    TP_PROTO(const struct net_device *dev, unsigned int len),
		    TP_ARGS(dev, len),
		    TP_STRUCT__entry(__string(name, dev->name)
				     __field(unsigned int, len)
		    ),
		    TP_fast_assign(__assign_str(name);
				   __entry->len = len;
		    ),
		    TP_printk("dev=%s len=%u", __get_str(name), __entry->len)
);

/* A frame of the modem was copied to a packet. */
DEFINE_EVENT(caif_virtio_frame, caif_virtio_receive,
	     TP_PROTO(const struct net_device *dev, unsigned int len),
	     TP_ARGS(dev, len)
);

/* A packet was copied to a slot. */
DEFINE_EVENT(caif_virtio_frame, caif_virtio_transmit,
	     TP_PROTO(const struct net_device *dev, unsigned int len),
	     TP_ARGS(dev, len)
);

/* The modem is kicked for a vring. */
TRACE_EVENT(caif_virtio_kick,
	    TP_PROTO(const struct virtio_device *vdev, unsigned int vring),
	    TP_ARGS(vdev, vring),
	    TP_STRUCT__entry(__string(name, dev_name(&vdev->dev))
			     __field(unsigned int, vring)
	    ),
	    TP_fast_assign(__assign_str(name);
			   __entry->vring = vring;
	    ),
	    TP_printk("dev=%s vring=%u", __get_str(name), __entry->vring)
);

/* A received frame is dropped; the reason is the name of a counter. */
TRACE_EVENT(caif_virtio_drop,
	    TP_PROTO(const struct net_device *dev, const char *why, u64 da, u32 len),
	    TP_ARGS(dev, why, da, len),
	    TP_STRUCT__entry(__string(name, dev->name)
			     __string(why, why)
			     __field(u64, da)
			     __field(u32, len)
	    ),
	    TP_fast_assign(__assign_str(name);
			   __assign_str(why);
			   __entry->da = da;
			   __entry->len = len;
	    ),
	    TP_printk("dev=%s why=%s da=0x%llx len=%u", __get_str(name), __get_str(why),
		      __entry->da, __entry->len)
);

/* The link was given up; the reason is the name of a counter. */
TRACE_EVENT(caif_virtio_fault,
	    TP_PROTO(const struct net_device *dev, const char *why),
	    TP_ARGS(dev, why),
	    TP_STRUCT__entry(__string(name, dev->name)
			     __string(why, why)
	    ),
	    TP_fast_assign(__assign_str(name);
			   __assign_str(why);
	    ),
	    TP_printk("dev=%s why=%s", __get_str(name), __get_str(why))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
